#include <bitgrad/cli/cli.hpp>

int main(int argc, char** argv) { return bitgrad::cli::run(argc, argv); }
