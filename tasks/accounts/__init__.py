"""The Django app of people's accounts: their tokens, what their programs submitted, the first admin."""
