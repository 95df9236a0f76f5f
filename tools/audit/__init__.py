"""Audits of the supply chain: known vulnerabilities of locked packages, and secrets in image layers."""
