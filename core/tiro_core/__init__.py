"""What Tiro's services share: settings, logging, errors, lifecycle, bus, audio, authentication."""
