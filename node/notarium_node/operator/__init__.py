"""What an operator does: the command line, the genesis ceremony, enrolment and set-up."""
