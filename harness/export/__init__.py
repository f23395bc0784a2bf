"""Records in other projects' formats, so that nobody needs this code to use or to doubt its results."""
