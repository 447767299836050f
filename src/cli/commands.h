/* commands.h - one file a command: each takes its own arguments (argv[0] is its name) and returns
 * the exit code: 0 done, 1 failed, 2 usage. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_losses(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_wal_dump(int argc, char **argv);
int cmd_wal_stat(int argc, char **argv);

#endif
