/* Parity of blocks of bytes, as RAID 5 has it: the exclusive or of all blocks. Any
 * one of them is the parity of the others and of the parity. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

static void xor_into(unsigned char *restrict to, const unsigned char *restrict from, Py_ssize_t n)
{
	Py_ssize_t i = 0;
	for (; i + (Py_ssize_t)sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
		uint64_t a, b;
		memcpy(&a, to + i, sizeof a);
		memcpy(&b, from + i, sizeof b);
		a ^= b;
		memcpy(to + i, &a, sizeof a);
	}
	for (; i < n; i++)
		to[i] ^= from[i];
}

/* xor_all xors every buffer into the first, without the interpreter's lock. */
static void xor_all(unsigned char *to, const Py_buffer *blocks, Py_ssize_t count)
{
	Py_BEGIN_ALLOW_THREADS
	memcpy(to, blocks[0].buf, (size_t)blocks[0].len);
	for (Py_ssize_t i = 1; i < count; i++)
		xor_into(to, blocks[i].buf, blocks[i].len);
	Py_END_ALLOW_THREADS
}

PyDoc_STRVAR(parity_doc,
	"parity(blocks) -> bytes\n\n"
	"The exclusive or of the blocks: one or more, bytes-like, of one length.\n"
	"ValueError where there is none or their lengths differ.");

static PyObject *parity(PyObject *module, PyObject *arg)
{
	(void)module;
	PyObject *list = PySequence_Fast(arg, "parity takes a sequence of bytes-like blocks");
	if (!list)
		return NULL;
	PyObject *result = NULL;
	Py_ssize_t held = 0, count = PySequence_Fast_GET_SIZE(list);
	Py_buffer *blocks = NULL;
	if (count == 0) {
		PyErr_SetString(PyExc_ValueError, "there is no block");
		goto done;
	}
	blocks = PyMem_New(Py_buffer, (size_t)count);
	if (!blocks) {
		PyErr_NoMemory();
		goto done;
	}
	for (; held < count; held++) {
		if (PyObject_GetBuffer(PySequence_Fast_GET_ITEM(list, held), &blocks[held], PyBUF_SIMPLE) < 0)
			goto done;
		if (blocks[held].len != blocks[0].len) {
			PyErr_Format(PyExc_ValueError, "block %zd has %zd bytes, expected %zd as the first has",
				held + 1, blocks[held].len, blocks[0].len);
			held++;
			goto done;
		}
	}
	result = PyBytes_FromStringAndSize(NULL, blocks[0].len);
	if (result)
		xor_all((unsigned char *)PyBytes_AS_STRING(result), blocks, count);
done:
	while (held > 0)
		PyBuffer_Release(&blocks[--held]);
	PyMem_Free(blocks);
	Py_DECREF(list);
	return result;
}

static PyMethodDef methods[] = {
	{"parity", parity, METH_O, parity_doc},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "xorbit",
	.m_doc = "Parity of blocks of bytes.",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_xorbit(void)
{
	return PyModuleDef_Init(&module);
}
