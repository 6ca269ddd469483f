// The bitgrad program with quantizers of one's own: every subcommand knows them by name.
#include <bitgrad/cli/cli.hpp>

#include "my_quantizer.hpp"
#include "my_quantizer_by_hand.hpp"

int main(int argc, char** argv) {
  bitgrad::register_quantizer<mine::MyQuantizer>();
  bitgrad::register_quantizer<mine::ByHand>();
  return bitgrad::cli::run(argc, argv);
}
