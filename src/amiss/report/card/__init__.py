"""Model cards: one page that says what a model is for, how it was made, what was measured, and what it cannot do."""
