# The target by a hand-set index; columns by number; the names of the columns have blanks; unseeded split.

# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt

# %%
dataset = pd.read_csv('/content/drive/MyDrive/data/Admission_Predict.csv')
dataset.columns = dataset.columns.str.strip()
dataset

# %%
dataset.iloc[:, 1:].corr()

# %%
dataset = dataset.set_index('Serial No.')

# %%
x = dataset.iloc[:, [0, 1, 2, 4, 5]].values
y = dataset.iloc[:, 6].values
print(x[:5])
print(y[:5])

# %%
plt.scatter(x[:, 0], y)
plt.show()

# %%
from sklearn.model_selection import train_test_split
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=1/3)

# %%
from sklearn.preprocessing import StandardScaler
sc_x = StandardScaler()
x_train[:, :2] = sc_x.fit_transform(x_train[:, :2])
x_test[:, :2] = sc_x.transform(x_test[:, :2])

# %%
from sklearn.linear_model import LinearRegression
regressor = LinearRegression()
regressor.fit(x_train, y_train)

# %%
y_pred = regressor.predict(x_test)
np.set_printoptions(precision=2)
print(np.concatenate((y_pred.reshape(len(y_pred), 1), y_test.reshape(len(y_test), 1)), 1)[:10])

# %%
from sklearn.metrics import mean_squared_error, r2_score
print('Mean squared error: %.4f' % mean_squared_error(y_test, y_pred))
print('Variance score: %.2f' % r2_score(y_test, y_pred))

# %%
from sklearn.tree import DecisionTreeRegressor
tree = DecisionTreeRegressor(max_depth=3, random_state=0)
tree.fit(x_train, y_train)
print('Tree: %.2f' % r2_score(y_test, tree.predict(x_test)))
