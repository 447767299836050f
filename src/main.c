/* main.c - nothing but the door to the commands. */
#include <walship/cli.h>

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
