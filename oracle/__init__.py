"""Who is right: the truth, the rounding bound and the verdict. Imports no framework but numpy."""
