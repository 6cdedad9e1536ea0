"""What people call: data in, trained and measured model out."""
