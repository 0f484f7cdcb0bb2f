"""What jobs cost around the engine: accepting them, telling of them, listing them, sharing workers among tenants."""
