"""How agents behave with money through blikk-mcp, measured on the bank's own record."""
