"""The sample application of the company puddingcamp: people book study sessions."""
