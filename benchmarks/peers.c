/* The kernels as one writes them by hand, and gradients of some. Each takes pointers to its arguments and lengths in
   one block; a gradient is overwritten, so it needs no clearing. `loop` times any of them, and compiled kernels too. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef struct {
    double *restrict x, *restrict y, *restrict g;
    int64_t n, steps;
    double value;
} block;

typedef struct {
    void *to;
    const void *from; /* null: fill with zeros */
    int64_t bytes;
} restored;

double loop(int32_t (*f)(void *), void *argument, const restored *r, int64_t count, int64_t calls) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int64_t k = 0; k < calls; k++) {
        for (int64_t i = 0; i < count; i++) {
            if (r[i].from) memcpy(r[i].to, r[i].from, r[i].bytes);
            else memset(r[i].to, 0, r[i].bytes);
        }
        if (f(argument)) return -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    return ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / calls;
}

int32_t sum_of_squares(block *b) {
    double s = 0;
    for (int64_t i = 0; i < b->n; i++) s += b->x[i] * b->x[i];
    b->value = s;
    return 0;
}

int32_t sum_of_squares_adjoint(block *b) {
    double s = 0;
    double *restrict x = b->x, *restrict g = b->g;
    for (int64_t i = 0; i < b->n; i++) {
        s += x[i] * x[i];
        g[i] = 2 * x[i];
    }
    b->value = s;
    return 0;
}

int32_t rosenbrock(block *b) {
    double s = 0;
    double *restrict x = b->x;
    for (int64_t i = 0; i + 1 < b->n; i++) {
        double t = x[i + 1] - x[i] * x[i], u = 1 - x[i];
        s += 100 * t * t + u * u;
    }
    b->value = s;
    return 0;
}

int32_t rosenbrock_adjoint(block *b) {
    double s = 0, carried = 0;
    double *restrict x = b->x, *restrict g = b->g;
    int64_t n = b->n;
    for (int64_t i = 0; i + 1 < n; i++) {
        double t = x[i + 1] - x[i] * x[i], u = 1 - x[i];
        s += 100 * t * t + u * u;
        g[i] = carried - 400 * t * x[i] - 2 * u;
        carried = 200 * t;
    }
    g[n - 1] = carried;
    b->value = s;
    return 0;
}

/* x holds two matrices of n columns, one below the other; y has room for their product. */
static double product(const double *restrict a, const double *restrict b, double *restrict c, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n * n; i++) c[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            for (int64_t j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
    for (int64_t i = 0; i < n * n; i++) s += c[i] * c[i];
    return s;
}

int32_t matmul(block *b) {
    int64_t n = b->n / 2;
    b->value = product(b->x, b->x + n * n, b->y, n);
    return 0;
}

int32_t matmul_adjoint(block *b) {
    int64_t n = b->n / 2;
    double *restrict x = b->x, *restrict y = b->x + n * n, *restrict c = b->y;
    double *restrict dx = b->g, *restrict dy = b->g + n * n;
    b->value = product(x, y, c, n);
    for (int64_t i = 0; i < n * n; i++) dx[i] = dy[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double s = 0, f = 2 * x[i * n + k];
            for (int64_t j = 0; j < n; j++) {
                s += c[i * n + j] * y[k * n + j];
                dy[k * n + j] += f * c[i * n + j];
            }
            dx[i * n + k] = 2 * s;
        }
    return 0;
}

int32_t quadratic_form(block *b) {
    double s = 0;
    double *restrict x = b->x, *restrict a = b->y;
    int64_t n = b->n;
    for (int64_t i = 0; i < n; i++) {
        double row = 0;
        for (int64_t j = 0; j < n; j++) row += a[i * n + j] * x[j];
        s += x[i] * row;
    }
    b->value = s;
    return 0;
}

int32_t quadratic_form_adjoint(block *b) {
    double s = 0;
    double *restrict x = b->x, *restrict a = b->y, *restrict g = b->g;
    int64_t n = b->n;
    for (int64_t i = 0; i < n; i++) g[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        double row = 0, xi = x[i];
        for (int64_t j = 0; j < n; j++) {
            row += a[i * n + j] * x[j];
            g[j] += a[i * n + j] * xi;
        }
        g[i] += row;
        s += xi * row;
    }
    b->value = s;
    return 0;
}

int32_t logsumexp(block *b) {
    double *restrict x = b->x, m = x[0], s = 0;
    for (int64_t i = 1; i < b->n; i++) m = x[i] > m ? x[i] : m;
    for (int64_t i = 0; i < b->n; i++) s += exp(x[i] - m);
    b->value = m + log(s);
    return 0;
}

int32_t logsumexp_adjoint(block *b) {
    double *restrict x = b->x, *restrict g = b->g, m = x[0], s = 0;
    for (int64_t i = 1; i < b->n; i++) m = x[i] > m ? x[i] : m;
    for (int64_t i = 0; i < b->n; i++) s += g[i] = exp(x[i] - m);
    double r = 1 / s;
    for (int64_t i = 0; i < b->n; i++) g[i] *= r;
    b->value = m + log(s);
    return 0;
}

int32_t bodies(block *b) {
    double *restrict r = b->x, e = 0;
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t j = 0; j < i; j++) {
            double dx = r[3 * i] - r[3 * j], dy = r[3 * i + 1] - r[3 * j + 1], dz = r[3 * i + 2] - r[3 * j + 2];
            e -= 1 / sqrt(dx * dx + dy * dy + dz * dz + 0.01);
        }
    b->value = e;
    return 0;
}

int32_t bodies_adjoint(block *b) {
    double *restrict r = b->x, *restrict g = b->g, e = 0;
    for (int64_t i = 0; i < 3 * b->n; i++) g[i] = 0;
    for (int64_t i = 0; i < b->n; i++) {
        double gx = 0, gy = 0, gz = 0;
        for (int64_t j = 0; j < i; j++) {
            double dx = r[3 * i] - r[3 * j], dy = r[3 * i + 1] - r[3 * j + 1], dz = r[3 * i + 2] - r[3 * j + 2];
            double w = 1 / sqrt(dx * dx + dy * dy + dz * dz + 0.01), c = w * w * w;
            e -= w;
            gx += c * dx, gy += c * dy, gz += c * dz;
            g[3 * j] -= c * dx, g[3 * j + 1] -= c * dy, g[3 * j + 2] -= c * dz;
        }
        g[3 * i] += gx, g[3 * i + 1] += gy, g[3 * i + 2] += gz;
    }
    b->value = e;
    return 0;
}

static void slope(const double s[3], double d[3]) {
    d[0] = 10 * (s[1] - s[0]);
    d[1] = s[0] * (28 - s[2]) - s[1];
    d[2] = s[0] * s[1] - 8.0 / 3.0 * s[2];
}

int32_t lorenz(block *b) {
    double h = 0.001, s[3] = {b->x[0], b->x[1], b->x[2]}, k[4][3], t[3];
    for (int64_t i = 0; i < b->steps; i++) {
        slope(s, k[0]);
        for (int q = 0; q < 3; q++) t[q] = s[q] + h / 2 * k[0][q];
        slope(t, k[1]);
        for (int q = 0; q < 3; q++) t[q] = s[q] + h / 2 * k[1][q];
        slope(t, k[2]);
        for (int q = 0; q < 3; q++) t[q] = s[q] + h * k[2][q];
        slope(t, k[3]);
        for (int q = 0; q < 3; q++) s[q] += h / 6 * (k[0][q] + 2 * k[1][q] + 2 * k[2][q] + k[3][q]);
    }
    b->value = s[0] + s[1] + s[2];
    return 0;
}

int32_t burgers(block *b) {
    double *restrict u = b->x, *restrict v = b->y, s = 0;
    int64_t n = b->n;
    for (int64_t t = 0; t < b->steps; t++) {
        for (int64_t i = 1; i < n - 1; i++) {
            double flux = u[i] * (u[i + 1] - u[i - 1]) * 5;
            v[i] = u[i] + 0.001 * (5 * (u[i + 1] - 2 * u[i] + u[i - 1]) - flux);
        }
        for (int64_t i = 1; i < n - 1; i++) u[i] = v[i];
    }
    for (int64_t i = 0; i < n; i++) s += u[i] * u[i];
    b->value = s;
    return 0;
}

int32_t cholesky(block *b) {
    double *restrict a = b->x, s = 0;
    int64_t n = b->n;
    for (int64_t j = 0; j < n; j++) {
        double d = a[j * n + j];
        for (int64_t k = 0; k < j; k++) d -= a[j * n + k] * a[j * n + k];
        d = a[j * n + j] = sqrt(d);
        s += 2 * log(d);
        for (int64_t i = j + 1; i < n; i++) {
            double t = a[i * n + j];
            for (int64_t k = 0; k < j; k++) t -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = t / d;
        }
    }
    b->value = s;
    return 0;
}

int32_t lu(block *b) {
    double *restrict a = b->x, s = 0;
    int64_t n = b->n;
    for (int64_t k = 0; k < n; k++) {
        s += log(a[k * n + k]);
        for (int64_t i = k + 1; i < n; i++) {
            double f = a[i * n + k] /= a[k * n + k];
            for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= f * a[k * n + j];
        }
    }
    b->value = s;
    return 0;
}

int32_t insertion_sort(block *b) {
    double *restrict x = b->x, s = 0;
    for (int64_t i = 1; i < b->n; i++)
        for (int64_t j = i; j > 0 && x[j - 1] > x[j]; j--) {
            double t = x[j - 1];
            x[j - 1] = x[j];
            x[j] = t;
        }
    for (int64_t i = 0; i < b->n; i++) s += b->y[i] * x[i] * x[i];
    b->value = s;
    return 0;
}
