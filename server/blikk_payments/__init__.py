"""The rules of a payment: identifiers, policy, ledger, service. Knows no MCP and reads no environment."""
