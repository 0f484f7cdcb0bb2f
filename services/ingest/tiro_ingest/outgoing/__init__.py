"""HTTP requests to addresses that callers name, without giving them access to the deployment's network."""
