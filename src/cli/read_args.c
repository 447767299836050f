/* read_args.c - see read_args.h. */
#include "read_args.h"

#include "sidecar.h"

#include <getopt.h>
#include <stdio.h>
#include <walship/assert.h>
#include <walship/conf_yaml.h>

int read_args_usage(const struct read_args *args, const char *text, const char *value)
{
    (void)fprintf(stderr, "walship %s: %s%s; see walship --help\n", args->command, text, value);
    return 2;
}

static int options_parse(struct read_args *args, int argc, char **argv)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"http-config", required_argument, NULL, 'h'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'c') {
            args->file = optarg;
        } else if (option == 'h') {
            args->http_config = optarg;
        } else if (option == 'j') {
            args->json = true;
        } else {
            return read_args_usage(args, "unknown option or missing value: ", argv[optind - 1]);
        }
    }
    return 0;
}

int read_args_parse(struct read_args *args, int argc, char **argv, const char *wanted)
{
    ASSERT(argc >= 1 && argv != NULL);
    *args = (struct read_args){.command = argv[0]};
    int code = options_parse(args, argc, argv);
    if (code != 0) {
        return code;
    }
    if (wanted != NULL && optind == argc) {
        return read_args_usage(args, wanted, " is missing");
    }
    if (wanted != NULL) {
        args->text = argv[optind++];
    }
    if (optind < argc) {
        return read_args_usage(args, "unexpected argument ", argv[optind]);
    }
    return args->file == NULL && !sidecar_wanted()
               ? read_args_usage(args, "--config F is missing, and INGESTION_URL is not set", "")
               : 0;
}

struct conf *read_args_conf(const struct read_args *args)
{
    struct conf *conf = NULL;
    struct conf_problems problems;
    conf_problems_init(&problems);
    if (args->file == NULL) { /* beside a walship that has none either */
        conf = sidecar_conf(&problems);
    } else if (!conf_yaml_load(args->file, &problems, &conf)) {
        conf = NULL;
    }
    if (conf == NULL) {
        (void)fwrite(problems.text.data, 1, problems.text.bytes, stderr);
    }
    conf_problems_release(&problems);
    return conf;
}
