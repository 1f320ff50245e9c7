"""How genotypes are made, varied, compared and accepted."""
