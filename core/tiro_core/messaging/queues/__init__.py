"""Work queues: enqueueing task messages, and consuming them."""
