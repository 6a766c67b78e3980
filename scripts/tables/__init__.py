"""The tables of docs/, one module for each results file."""
