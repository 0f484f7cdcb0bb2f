"""Workers killed under live sessions."""
