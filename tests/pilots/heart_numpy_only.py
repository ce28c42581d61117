# numpy only: no estimator object; a logistic regression by gradient descent.

# %% [markdown]
# # Logistic regression from scratch

# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split
from sklearn.metrics import accuracy_score

# %%
df = pd.read_csv('heart.csv')
df.head()

# %%
X = df.iloc[:, :-1].values.astype(float)
y = df.iloc[:, -1].values
X.shape, y.shape

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)

# %%
mu = X_train.mean(axis=0)
sigma = X_train.std(axis=0)
X_train = (X_train - mu) / sigma
X_test = (X_test - mu) / sigma

# %%
# bias column
X_train = np.c_[np.ones(len(X_train)), X_train]
X_test = np.c_[np.ones(len(X_test)), X_test]

# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def cost(theta, X, y):
    h = sigmoid(X @ theta)
    return -np.mean(y * np.log(h + 1e-9) + (1 - y) * np.log(1 - h + 1e-9))

def gradient_descent(X, y, lr=0.1, epochs=500):
    theta = np.zeros(X.shape[1])
    costs = []
    for epoch in range(epochs):
        h = sigmoid(X @ theta)
        gradient = X.T @ (h - y) / len(y)
        theta -= lr * gradient
        costs.append(cost(theta, X, y))
    return theta, costs

# %%
theta, costs = gradient_descent(X_train, y_train)
plt.plot(costs)

# %%
theta

# %%
def predict(X, theta, threshold=0.5):
    return (sigmoid(X @ theta) >= threshold).astype(int)

# %%
y_pred = predict(X_test, theta)
print('accuracy:', accuracy_score(y_test, y_pred))

# %%
print('by hand:', (y_pred == y_test).sum() / len(y_test))
