/* Threads that allocate and check their data, interrupted by signals whose handler maps memory, while one forks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 6
#define BLOCKS 24

static volatile int running;
static pthread_t workers[THREADS], ticker, forker;
long bad, signals, forks, rounds[THREADS];

static void fault(void) { __atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED); }

static void maps_a_page(int number) {
    int before = errno;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fault();
    else { page[0] = (char)number; munmap(page, 4096); }
    __atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
    errno = before;
}

static void *taken(unsigned kind, void *old, size_t size) {
    void *block = NULL;
    if (kind == 0) return realloc(old, size);
    free(old);
    if (kind == 1) return calloc(size, 1);
    if (kind == 2) return posix_memalign(&block, 64, size) ? NULL : block;
    if (kind == 3) return aligned_alloc(64, (size + 63) / 64 * 64);
    return malloc(size);
}

static void *work(void *argument) {
    long own = (long)argument;
    unsigned state = (unsigned)own * 2654435761u + 1;
    unsigned char *block[BLOCKS] = {0}, content[BLOCKS] = {0};
    size_t size[BLOCKS] = {0};
    while (running) {
        state = state * 1664525u + 1013904223u;
        unsigned at = (state >> 24) % BLOCKS;
        for (size_t i = 0; i < size[at]; i += 1 + size[at] / 5)
            if (block[at][i] != content[at]) fault();
        size[at] = 1 + (state >> 9 & 2047);
        block[at] = taken(state >> 20 & 7, block[at], size[at]);
        if (!block[at]) { fault(); size[at] = 0; continue; }
        content[at] = (unsigned char)(state >> 13);
        memset(block[at], content[at], size[at]);
        rounds[own]++;
    }
    for (int i = 0; i < BLOCKS; i++) free(block[i]);
    return NULL;
}

static void *interrupt(void *argument) {
    for (int i = 0; running; i++) { pthread_kill(workers[i % THREADS], SIGUSR1); usleep(400); }
    return argument;
}

static void *fork_again(void *argument) {
    while (running) {
        pid_t child = fork();
        if (child == 0) {
            for (int i = 1; i < 40; i++) free(malloc((size_t)i * 30));
            maps_a_page(0);
            _exit(7);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) fault();
        forks++;
        usleep(10000);
    }
    return argument;
}

void load_begin(void) {
    struct sigaction action = {0};
    action.sa_handler = maps_a_page;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    running = 1;
    for (long i = 0; i < THREADS; i++) pthread_create(&workers[i], NULL, work, (void *)i);
    pthread_create(&ticker, NULL, interrupt, NULL);
    pthread_create(&forker, NULL, fork_again, NULL);
}

void load_end(void) {
    running = 0;
    pthread_join(ticker, NULL);
    pthread_join(forker, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(workers[i], NULL);
}

long load_done(void) { long sum = 0; for (int i = 0; i < THREADS; i++) sum += rounds[i]; return sum; }

static void *volatile sink;

/* By name: malloc, calloc, realloc and posix_memalign once, free three times, mmap and munmap once. Through pointers of
   the loader: malloc and free once. */
int known(void *unused) {
    void *(*hidden)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
    void (*release)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
    void *block = NULL;
    (void)unused;
    sink = malloc(100); sink = realloc(sink, 300); free(sink);
    sink = calloc(3, 7); free(sink);
    if (posix_memalign(&block, 64, 10)) return 1;
    free(block);
    sink = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(sink, 4096);
    sink = hidden(55); release(sink);
    return 0;
}
