"""How members agree: QBFT as a state machine without IO."""
