"""What was paid, and under which key: the states of a payment, and where they are written down."""
