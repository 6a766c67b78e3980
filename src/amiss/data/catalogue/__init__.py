"""The known data sets, a file for each family: what their files are, where they come from, and how they are read."""
