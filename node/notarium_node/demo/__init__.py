"""The demonstration: a consortium on this machine plays one study from end to end."""
