"""What is booked: study sessions and who attended them."""
