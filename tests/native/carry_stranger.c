/*
 * `psync-native carry NAME exec HEX...` of a user who does not ask whose `apply` it finds: what another
 * user's own program would do. Built and run by carrier_test.ts.
 */
#include <sys/types.h>
#include <unistd.h>

/* As if this were root, as whose the tests run. */
static uid_t claim(void) { return 0; }

#define geteuid claim
#include "../../native/carry.c"

int main(int argc, char **argv) { return carry_main(argc - 1, argv + 1); }
