"""What earlier processes compiled: how a program is recognised, what an entry holds, where entries are kept."""
