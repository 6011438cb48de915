"""The command line: parses, prints, asks, exits; decides nothing."""
