/* driver LIBRARY CALLS FUNCTION...: calls each function under the preloaded counter and prints what the counter saw.
   DRIVER_LOCALE is the locale of the process to compare with: regcomp allocates by it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    void (*watch)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "counter_watch");
    long (*count)(int) = (long (*)(int))dlsym(RTLD_DEFAULT, "counter_read");
    void *library = argc > 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    setlocale(LC_CTYPE, getenv("DRIVER_LOCALE"));
    if (!watch || !count || !library) return 2;
    for (int i = 3; i < argc; i++) {
        int (*f)(void *) = (int (*)(void *))dlsym(library, argv[i]), calls = atoi(argv[2]);
        if (!f || f(NULL)) return 3;
        watch(1);
        for (int k = 0; k < calls; k++) f(NULL);
        watch(0);
        printf("%s", argv[i]);
        for (int kind = 0; kind < 8; kind++) printf(" %ld", count(kind));
        printf("\n");
    }
    return 0;
}
