"""What the supply chain is: known vulnerabilities of what is pinned, and what images consist of."""
