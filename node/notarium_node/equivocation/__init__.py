"""Proofs that a validator signed two different things: kept, exchanged and served."""
