/* Gives files to whom fakeroot pretends that the process is.
 *
 * fakeroot remembers an owner only when somebody calls chown(). A package's install script that runs a program as another
 * user ("runuser -u postgres -- initdb") makes files that fakeroot shows as root's, and that user cannot read them in the
 * image. These functions, loaded with LD_PRELOAD before fakeroot's, call chown() for whatever a process makes that is not
 * root. Whoever is root, and files that are there already, see no difference.
 * Not covered: a file that is made by a system call without the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

static int is_new(int directory, const char *path)
{
	struct stat found;
	int before = errno, answer = geteuid() != 0 && fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW) != 0;

	errno = before;
	return answer;
}

static void give_path(int directory, const char *path)
{
	int before = errno;

	if (fchownat(directory, path, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW))
		errno = before;
	errno = before;
}

/* open() and its like: NAME(directory, path, flags, mode) through `call`. */
#define OPENED(directory, call)                                     \
	mode_t mode = 0;                                            \
	int fresh = (flags & O_CREAT) && is_new(directory, path);   \
	int file;                                                   \
	if (flags & (O_CREAT | O_TMPFILE)) {                        \
		va_list rest;                                       \
		va_start(rest, flags);                              \
		mode = va_arg(rest, mode_t);                        \
		va_end(rest);                                       \
	}                                                           \
	file = call;                                                \
	if (file >= 0 && fresh)                                     \
		give_path(directory, path);                         \
	return file

typedef int (*open_type)(const char *, int, ...);
typedef int (*openat_type)(int, const char *, int, ...);

int open(const char *path, int flags, ...)
{
	OPENED(AT_FDCWD, NEXT("open", open_type)(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
	OPENED(AT_FDCWD, NEXT("open64", open_type)(path, flags, mode));
}

int openat(int directory, const char *path, int flags, ...)
{
	OPENED(directory, NEXT("openat", openat_type)(directory, path, flags, mode));
}

int openat64(int directory, const char *path, int flags, ...)
{
	OPENED(directory, NEXT("openat64", openat_type)(directory, path, flags, mode));
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode)
{
	return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

#define FOPENED(name)                                                                          \
	int fresh = mode[0] != 'r' && is_new(AT_FDCWD, path);                                  \
	FILE *file = NEXT(name, FILE * (*)(const char *, const char *))(path, mode);           \
	if (file && fresh)                                                                     \
		give_path(AT_FDCWD, path);                                                     \
	return file

FILE *fopen(const char *path, const char *mode)
{
	FOPENED("fopen");
}

FILE *fopen64(const char *path, const char *mode)
{
	FOPENED("fopen64");
}

/* What fails when the name is taken: whatever is there afterwards is new. */
#define MADE(directory, path, call)                \
	int answer = call;                         \
	if (answer >= 0 && geteuid() != 0)         \
		give_path(directory, path);        \
	return answer

int mkdir(const char *path, mode_t mode)
{
	MADE(AT_FDCWD, path, NEXT("mkdir", int (*)(const char *, mode_t))(path, mode));
}

int mkdirat(int directory, const char *path, mode_t mode)
{
	MADE(directory, path, NEXT("mkdirat", int (*)(int, const char *, mode_t))(directory, path, mode));
}

int symlink(const char *target, const char *path)
{
	MADE(AT_FDCWD, path, NEXT("symlink", int (*)(const char *, const char *))(target, path));
}

int symlinkat(const char *target, int directory, const char *path)
{
	MADE(directory, path, NEXT("symlinkat", int (*)(const char *, int, const char *))(target, directory, path));
}

int mkstemp(char *path)
{
	MADE(AT_FDCWD, path, NEXT("mkstemp", int (*)(char *))(path));
}

int mkostemp(char *path, int flags)
{
	MADE(AT_FDCWD, path, NEXT("mkostemp", int (*)(char *, int))(path, flags));
}
