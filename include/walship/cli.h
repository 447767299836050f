/* cli.h - the program's commands, for main.c. Floor F5. */
#ifndef WALSHIP_CLI_H
#define WALSHIP_CLI_H

/* Runs what the arguments say; returns the exit code: 0 done, 1 failed, 2 usage. */
int cli_main(int argc, char **argv);

#endif
