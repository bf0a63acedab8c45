/* Lets User Mode Linux 6.x run on processors whose register state is larger than it knows (AMX).
 *
 * UML 6.1 and 6.12 give PTRACE_SETREGSET(NT_X86_XSTATE) a buffer of fixed size; a host kernel on a processor with AMX
 * insists on the full size and answers EFAULT ("ptrace set fp regs failed, errno = 14"). This ptrace(), loaded with
 * LD_PRELOAD, pads the buffer with zeros to what the host wants, and takes the AMX components, which are not carried,
 * out of the header. Where the sizes match it changes nothing.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

#define LARGEST_STATE 65536
#define HEADER_OFFSET 512                 /* of the XSAVE header; its first word says which components follow */
#define CARRIED_COMPONENTS UINT64_C(0x2ff) /* x87 to PKRU; AMX is 17 and 18 */

static long system_ptrace(long request, long pid, void *address, void *data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

static long set_padded(long pid, void *address, struct iovec *given)
{
	static char state[LARGEST_STATE] __attribute__((aligned(64)));
	static size_t full_size;
	struct iovec padded = { state, sizeof state };
	uint64_t components;

	if (full_size == 0 && system_ptrace(PTRACE_GETREGSET, pid, address, &padded) == 0)
		full_size = padded.iov_len;
	if (full_size <= given->iov_len || given->iov_len < HEADER_OFFSET + sizeof components)
		return system_ptrace(PTRACE_SETREGSET, pid, address, given);

	memcpy(state, given->iov_base, given->iov_len);
	memset(state + given->iov_len, 0, full_size - given->iov_len);
	memcpy(&components, state + HEADER_OFFSET, sizeof components);
	components &= CARRIED_COMPONENTS;
	memcpy(state + HEADER_OFFSET, &components, sizeof components);
	padded.iov_len = full_size;
	return system_ptrace(PTRACE_SETREGSET, pid, address, &padded);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	long pid;
	void *address, *data;

	va_start(arguments, request);
	pid = va_arg(arguments, int);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);

	if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
		return set_padded(pid, address, data);
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		/* The C library returns the word read where the system call stores it. */
		long word, failed = system_ptrace(request, pid, address, &word);

		if (failed < 0)
			return failed;
		errno = 0;
		return word;
	}
	return system_ptrace(request, pid, address, data);
}
