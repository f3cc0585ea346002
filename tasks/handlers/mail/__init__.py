"""What EMAIL_CAMPAIGN and EMAIL_SIMULATION share: who gets a message, what it says, how it is handed over."""
