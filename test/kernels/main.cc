// Runs the CUDA kernels on the host and prints a line of JSON for every check; then repeats them without each
// of their barriers in turn.
#include "support.h"

int main() {
  check::CheckBarriers("routing", check::CheckRouting);
  check::CheckBarriers("mix", check::CheckMix);
  check::CheckBarriers("dynamic convolution", check::CheckDynamicConv);
  check::CheckBarriers("augmentation", check::CheckAugment);
  check::CheckBroken();
}
