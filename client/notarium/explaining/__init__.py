"""What differs between two records, or between a record and what is here, and why."""
