"""Audits: known vulnerabilities of locked packages, and secrets in image layers."""
