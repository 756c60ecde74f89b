// Compiled first, with the headers that all unit tests share.
