"""Who is normal, and which image stands in which part of a split."""
