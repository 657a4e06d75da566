"""A submission as it comes: what a folder or zip full of receipts holds, as one page for its reviewers."""
