// The builders of ClientHellos and QUIC Initials are shared with the protocol room's tests.
#include "../protocol/hello_builder.cpp"
#include "../protocol/quic_builder.cpp"
