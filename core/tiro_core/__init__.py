"""The code that Tiro's services share: settings, logs, errors, lifecycle, messaging, audio, authentication."""
