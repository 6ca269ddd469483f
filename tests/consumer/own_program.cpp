// The bitgrad program as a part of a user's: this is where quantizers of one's own would be registered.
#include <bitgrad/cli/cli.hpp>

int main(int argc, char** argv) { return bitgrad::cli::run(argc, argv); }
