"""Whether all that m3sync needs is there and works, with what to do where it does not."""
