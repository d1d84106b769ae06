"""What more than one method is made of."""
