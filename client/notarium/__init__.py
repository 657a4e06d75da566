"""What a researcher imports: anchor commitments, fetch receipts, verify them offline."""
